import { describe, expect, it } from 'vitest'
import { composeServices } from './compose.ts'

const ALL = {
  FEDSVD_OPERATOR_TOKEN: 'token',
  POSTGRES_PASSWORD: 'secret',
  NORTH_RECORDS: '400',
  SOUTH_RECORDS: '300',
  EAST_RECORDS: '200',
}

describe('the services of the compose file', () => {
  it('are those that are built here, with what compose would give them', () => {
    const services = composeServices({ ...ALL, NORTH_TOKEN: 'north-token' })
    expect(Object.keys(services)).toEqual(['coordinator', 'north', 'south', 'east'])
    const { coordinator, north, south } = services
    expect(coordinator).toMatchObject({
      target: 'coordinator',
      environment: { DATABASE_URL: 'postgresql://fedsvd:secret@postgres:5432/fedsvd', FEDSVD_OPERATOR_TOKEN: 'token' },
      healthcheck: ['node', '/app/apps/cli/bin/health.mjs'],
    })
    expect(north).toMatchObject({
      target: 'site',
      command: ['join', 'http://coordinator:7373'],
      environment: { FEDSVD_DECLARED_RECORDS: '400', FEDSVD_ENROLMENT_TOKEN: 'north-token' },
    })
    expect(south!.environment.FEDSVD_ENROLMENT_TOKEN).toBe('')
  })

  it('are refused without what has to be set, as compose does', () => {
    expect(() => composeServices({ ...ALL, EAST_RECORDS: '' })).toThrow(/EAST_RECORDS .* set EAST_RECORDS to a round/)
  })
})
