import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tryPage } from './try-page.ts'

/** A page with these blocks; `'''` stands for a fence. */
const page = (text: string): string => text.replaceAll("'''", '```')

describe('trying what a page says', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-page-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const tried = (text: string) => tryPage(page(text), { folder, environment: process.env })

  it('writes files, types commands in order, and goes on in the same shell', async () => {
    await tried(`
'''csv file=rows.csv
a,b
'''
'''console
$ cat rows.csv
a,b
$ X=1 && \\
  Y=2
'''
Then
'''console
$ echo $X$Y 127.0.0.1
12 127.0.0.1
'''`)
  })

  it('compares identifiers and times by their form, and lets "..." stand for anything', async () => {
    await tried(`
'''console
$ echo "08:15:00  run 3f2504e0-4f89-41d3-9a0c-0305e82c3301 is done in 3 s"; printf '1\\n2\\n3\\n'
14:13:31  run 906c0f59-7508-4699-8e39-cc6f80f1c5ad is done in ...
...
3
'''`)
  })

  it.each([
    ['another output', '$ echo a+b\naab\n', /line 2: \$ echo a\+b\nexpected\naab\ngot: printed\na\+b/],
    ['more output than is shown', '$ echo a; echo b\na\n', /got: printed\na\nb/],
    ['less output than is shown', '$ echo a\na\nb\n', /got: printed\na\n/],
    ['a failure', '$ false\n', /got: exit code 1/],
    ['the end of the shell', '$ exit 3\n', /got: the shell ended/],
  ])('tells of %s', async (_, transcript, message) => {
    await expect(tried(`\n'''console\n${transcript}'''`)).rejects.toThrow(message)
  })

  it('leaves a command running where the page says so, and ends it at the end of the page', async () => {
    await tried(`
'''console terminal=server stays
$ echo $$ > pid; echo ready; tail -f /dev/null
ready
'''
'''console
$ kill -0 $(cat pid)
'''`)
    await expect(tried("'''console stays\n$ true\nready\n'''")).rejects.toThrow('ended with exit code 0')
  })
})
