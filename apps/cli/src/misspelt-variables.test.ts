import { Command, Option } from 'commander'
import { expect, it } from 'vitest'
import { misspeltVariables } from './misspelt-variables.ts'

const join = new Command('join').addOption(new Option('--data <path>').env('FEDSVD_DATA'))

it('tells a variable that is near to a setting, with what was meant', () => {
  const environment = { FEDSVD_GATHERSECONDS: '5', FEDSVD_PROT: '1', FEDSVD_DAAT: 'x.jsonl' }
  expect(misspeltVariables(environment, join)).toEqual([
    { name: 'FEDSVD_GATHERSECONDS', nearest: 'FEDSVD_GATHER_SECONDS' },
    { name: 'FEDSVD_PROT', nearest: 'FEDSVD_PORT' },
    { name: 'FEDSVD_DAAT', nearest: 'FEDSVD_DATA' },
  ])
})

it('leaves settings alone, those of the other command, files of secrets, empty ones and what a system makes', () => {
  const environment = {
    FEDSVD_PORT: '1',
    FEDSVD_DATA: 'x',
    FEDSVD_OPERATOR_TOKEN_FILE: 'x',
    FEDSVD_UPLOAD_SECRET_FILE: 'x',
    FEDSVD_HOME: '/srv',
    FEDSVD_PORT_7373_TCP_ADDR: '10.0.0.1',
    FEDSVD_PROT: '',
    OTHER_PROT: '1',
  }
  expect(misspeltVariables(environment, join)).toEqual([])
})
