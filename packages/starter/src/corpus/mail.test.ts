import PostalMime from 'postal-mime'
import { describe, expect, test } from 'vitest'
import { withoutBoilerplate } from './boilerplate.ts'
import { rawMails } from './corpus-files.ts'
import { LONGEST_BODY, plainBody } from './mail-body.ts'
import { sourceOf } from './mail-source.ts'
import { firstAddress, readMail } from './read-mail.ts'

const mail = (...lines: (string | Buffer)[]): Buffer =>
  Buffer.concat(lines.flatMap((line) => [Buffer.from(line as string), Buffer.from('\n')]))
const body = async (...lines: (string | Buffer)[]): Promise<string> => plainBody(await readMail(mail(...lines)))

describe('reading a mail', () => {
  test('agrees with the MIME parser on 600 mails of the corpus', async () => {
    const mails = [...rawMails()].filter((_, i) => i % 10 === 3)
    for (const { file, bytes } of mails) {
      const [here, there] = [await readMail(bytes), await PostalMime.parse(bytes)]
      const headers = new Map([...there.headers].reverse().map(({ key, value }) => [key, value]))
      expect({ file, source: sourceOf(here) }).toEqual({ file, source: sourceOf({ headers }) })
      // The parser takes undeclared bytes for UTF-8 and leaves a mark where they are not; here they are Windows-1252.
      if (!there.text?.includes('\ufffd') && !there.html?.includes('\ufffd')) {
        expect({ file, body: plainBody(here) }).toEqual({ file, body: plainBody(there) })
      }
    }
  })

  test('no header reaches the body, folded or not, and a mail of headers only has none', async () => {
    expect(await body('Subject: [ILUG] secret', 'X-Spam:', '\tYES', '', 'Hello', '', 'there')).toBe('Hello\n\nthere')
    expect(await body('Subject: only')).toBe('')
  })

  test('takes bytes without a character set, and those of Latin-1 that cannot be, for Windows-1252', async () => {
    const bytes = Buffer.of(0x93, 0x63, 0x61, 0x66, 0xe9, 0x94, 0x20, 0x80)
    for (const type of ['', '; charset=iso-8859-1', '; charset="no-such-set"', '; charset=us-ascii']) {
      expect(await body(`Content-Type: text/plain${type}`, '', bytes)).toBe('“café” €')
    }
    expect(await body('Content-Type: text/plain; charset=utf-8', '', 'café')).toBe('café')
    expect(await body('Content-Type: text/plain; charset=koi8-r', '', Buffer.of(0xd2, 0xd5))).toBe('ру')
  })

  test('decodes transfer encodings', async () => {
    const quoted = ['Content-Transfer-Encoding: quoted-printable', 'Content-Type: text/plain; charset=iso-8859-1']
    expect(await body(...quoted, '', 'soft=', ' break caf=E9')).toBe('soft break café')
    expect(await body('Content-Transfer-Encoding: base64', '', 'SGVsbG8gdGhlcmU=')).toBe('Hello there')
  })

  test('prefers the plain part of alternatives, and leaves attachments out', async () => {
    const parts = (...types: string[]): string[] =>
      types.flatMap((type) => ['--x', `Content-Type: ${type}`, '', type.includes('html') ? '<p>page</p>' : 'plain'])
    const head = ['Content-Type: multipart/alternative; boundary=x', '']
    expect(await body(...head, ...parts('text/html', 'text/plain'), '--x--')).toBe('plain')
    expect(await body(...head, ...parts('text/html'), '--x--')).toBe('page')
    const file = [
      '--x',
      'Content-Type: image/gif; name=a.gif',
      'Content-Transfer-Encoding: base64',
      '',
      'AAAA',
      '--x--',
    ]
    expect(await body('Content-Type: multipart/mixed; boundary=x', '', ...parts('text/plain'), ...file)).toBe('plain')
  })

  test('shows a page as its reader sees it, also when it calls itself plain text', async () => {
    const page =
      '<html><head><title>T</title><style>p{}</style></head><body><h1>Big&nbsp;news</h1><p>Go <a href="http://x/?id=9">here</a> &amp; now<img src="y"></body></html>'
    for (const type of ['text/html', 'text/plain']) {
      expect((await body(`Content-Type: ${type}`, '', page)).replace(/\s+/g, ' ')).toBe('Big news Go here & now')
    }
  })

  test('keeps the beginning of an endless body, never half a character', async () => {
    expect(await body('Subject: x', '', 'y'.repeat(20_000))).toHaveLength(LONGEST_BODY)
    const text = `z${'👋'.repeat(LONGEST_BODY)}`
    expect(plainBody({ text })).toBe(`z${'👋'.repeat(LONGEST_BODY / 2 - 1)}`)
  })
})

describe('the channel of a mail', () => {
  const source = async (...headers: string[]): Promise<string> => sourceOf(await readMail(mail(...headers, '', 'body')))

  test.each([
    ['list:exmh-workers', 'List-Id: Discussion list for EXMH', '    developers <exmh-workers.spamassassin.taint.org>'],
    ['list:zzzzteana', 'Mailing-List: list zzzzteana@yahoogroups.com; contact forteana-owner@yahoogroups.com'],
    ['list:vulnwatch', 'Mailing-List: contact vulnwatch-help@vulnwatch.org; run by ezmlm'],
    ['list:cypherpunks', 'X-Mailing-List: cypherpunks@ssz.com'],
    ['list:spamassassin-devel', 'Subject: Re: [SAdev] results', 'From: Craig <craig@deersoft.com>'],
    ['feed:guardian', 'From: guardian <rssfeeds@spamassassin.taint.org>'],
    ['sender:mail.example.com', 'From: "Win [now]" <Best.Offer@Mail.EXAMPLE.com>', 'Subject: [Win] now'],
    ['sender:unknown', 'From: nobody'],
    ['sender:unknown', 'Subject: no sender'],
  ])('is %s', async (expected, ...headers) => {
    expect(await source(...headers)).toBe(expected)
  })

  test('reads the first address with its name', () => {
    expect(firstAddress('=?iso-8859-1?Q?Jos=E9?= <Jose@X.org>, b@y.org')).toEqual({
      name: 'José',
      address: 'jose@x.org',
    })
    expect(firstAddress('')).toEqual({ name: '', address: '' })
  })
})

describe('boilerplate', () => {
  const text = 'A text.\n\n-- \nAnn'
  const mailman =
    '_______________________________________________\nRazor-users mailing list\nRazor-users@lists.sourceforge.net'
  const footers = {
    Mailman: mailman,
    'Mailman below a sponsor': `-------------------------------------------------------\nThis sf.net email is sponsored by:ThinkGeek\nWelcome to geek heaven.\n${mailman}`,
    ILUG: "-- \nIrish Linux Users' Group: ilug@linux.ie\nhttp://www.linux.ie/mailman/listinfo/ilug for (un)subscription information.",
    'a lone address': '\nhttp://xent.com/mailman/listinfo/fork',
    'Yahoo! Groups':
      '------------------------ Yahoo! Groups Sponsor ---------------------~-->\nPlan to Sell a Home?\n---------------------------------------------------------------------~->\n\nTo unsubscribe from this group, send an email to:\nforteana-unsubscribe@egroups.com\n\n\nYour use of Yahoo! Groups is subject to http://docs.yahoo.com/info/terms/ ',
  }

  test.each(Object.entries(footers))('the footer of %s goes, the signature above it stays', (_, footer) => {
    expect(withoutBoilerplate(`${text}\n\n${footer}\n\n`)).toBe(text)
  })

  test('text after a rule stays unless it names a list, and so does a quoted footer', () => {
    for (const ending of ['-----\nP.S. Bring cake.', '-----', '> ____________\n> FoRK mailing list\nMe too.']) {
      expect(withoutBoilerplate(`${text}\n${ending}`)).toBe(`${text}\n${ending}`)
    }
  })

  test('the heading of a feed gateway goes', () => {
    expect(withoutBoilerplate('URL: http://boingboing.net/#85531298\nDate: Not supplied\n\nNews.')).toBe('News.')
    expect(withoutBoilerplate('Look at\nURL: http://x')).toBe('Look at\nURL: http://x')
  })

  test('a body that is all footer becomes empty', () => {
    expect(withoutBoilerplate(mailman)).toBe('')
  })
})
