import { SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import { expect, it } from 'vitest'
import { leaveSum } from './site-opening.ts'
import { storedCoordinatorState, storedSiteState } from './stored-state.ts'

it('states are read as they were stored, after every step', async () => {
  const sum = new SimulatedSum(4)
  const check = (): void => {
    for (const { state } of sum.sites) expect(storedSiteState(JSON.parse(JSON.stringify(state)))).toEqual(state)
    expect(storedCoordinatorState(JSON.parse(JSON.stringify(sum.coordinator)))).toEqual(sum.coordinator)
  }
  check()
  sum.advertise()
  check()
  await sum.share(sum.sites)
  sum.receive(sum.sites)
  check()
  sum.upload(sum.sites.slice(1), () => new Float64Array(5))
  sum.ask(sum.sites.slice(1))
  check()
  expect(storedSiteState(leaveSum(sum.sites[0]!.state))).toEqual(leaveSum(sum.sites[0]!.state))
})

it('a state that is damaged is refused by the place of the damage, and its secrets are not shown', async () => {
  const sum = new SimulatedSum(3)
  sum.advertise()
  await sum.share(sum.sites)
  const { state } = sum.sites[0]!
  const seed = `${state.secrets!.seed}x`
  const damaged = { ...state, secrets: { ...state.secrets, seed } }
  expect(() => storedSiteState(damaged)).toThrow(/damaged at secrets.seed/)
  expect(() => storedSiteState(damaged)).not.toThrow(new RegExp(seed))
  expect(() => storedSiteState({ ...state, other: 1 })).toThrow(/SUM_REFUSED/)
  expect(() => storedSiteState(undefined)).toThrow(/damaged at its beginning/)
  expect(() => storedCoordinatorState({ ...sum.coordinator, masked: [2, 1] })).toThrow(/damaged at masked/)
})
