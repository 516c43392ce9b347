import { foreignFile } from '../../files/index.ts'

/** What a file is under the name of another kind of data, and what to do about it. */
export interface ForeignData {
  readonly got: string
  readonly remedy: string
}

const SAVE_AS_CSV = 'Save its table as CSV in UTF-8.'
const DECOMPRESS = 'Decompress it, or compress it with gzip and end its name in .gz.'
const AS_PARQUET = 'Write it as Parquet, in Python: pandas.read_feather(file).to_parquet("data.parquet").'
const UTF_32 = { got: 'text in UTF-32', remedy: 'Save it as UTF-8.' }

/** Files whose first bytes say what they are. */
const MAGIC: readonly (ForeignData & { readonly magic: Buffer })[] = [
  {
    magic: Buffer.from('PK\u0003\u0004'),
    got: 'a workbook or another zip archive',
    remedy: 'Save the sheet as CSV in UTF-8, or unpack the archive.',
  },
  {
    magic: Buffer.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1),
    got: 'a workbook or another document of Office 97 to 2003',
    remedy: 'Save the sheet as CSV in UTF-8.',
  },
  { magic: Buffer.from('%PDF-'), got: 'a PDF', remedy: SAVE_AS_CSV },
  { magic: Buffer.of(0x1f, 0x8b), got: 'a gzip file', remedy: 'End its name in .gz, as in data.csv.gz.' },
  { magic: Buffer.of(0x28, 0xb5, 0x2f, 0xfd), got: 'a zstd file', remedy: DECOMPRESS },
  { magic: Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), got: 'an xz file', remedy: DECOMPRESS },
  { magic: Buffer.from('BZh91AY&SY'), got: 'a bzip2 file', remedy: DECOMPRESS },
  { magic: Buffer.of(0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c), got: 'a 7z archive', remedy: 'Unpack it.' },
  { magic: Buffer.from('PAR1'), got: 'a Parquet file', remedy: 'End its name in .parquet.' },
  { magic: Buffer.from('PARE'), got: 'an encrypted Parquet file', remedy: 'Write it without encryption.' },
  { magic: Buffer.from('ARROW1'), got: 'an Arrow or Feather file', remedy: AS_PARQUET },
  { magic: Buffer.from('FEA1'), got: 'a Feather file', remedy: AS_PARQUET },
  { magic: Buffer.from('ORC'), got: 'an ORC file', remedy: 'Write it as Parquet.' },
  { magic: Buffer.from('Obj\u0001'), got: 'an Avro file', remedy: 'Write it as Parquet.' },
  { magic: Buffer.from('SQLite format 3\0'), got: 'an SQLite database', remedy: SAVE_AS_CSV },
  { magic: Buffer.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a), got: 'an HDF5 file', remedy: SAVE_AS_CSV },
  { magic: Buffer.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59), got: 'a NumPy file', remedy: SAVE_AS_CSV },
  { magic: Buffer.from('$FL2'), got: 'a file of SPSS', remedy: SAVE_AS_CSV },
  { magic: Buffer.from('<stata_dta>'), got: 'a file of Stata', remedy: SAVE_AS_CSV },
  { magic: Buffer.of(0xff, 0xfe, 0, 0), ...UTF_32 },
  { magic: Buffer.of(0, 0, 0xfe, 0xff), ...UTF_32 },
]

/** Programs of Python write their objects as pickles of protocol 2 and up. */
const PICKLES = { got: 'a pickle of Python', remedy: SAVE_AS_CSV }

const isPickle = (first: Buffer): boolean => first[0] === 0x80 && first[1]! >= 2 && first[1]! <= 5

/** What a file is, judged by its first bytes, where it is certainly no text that people write records in. */
export function foreignData(first: Buffer): ForeignData | undefined {
  const found = MAGIC.find(({ magic }) => first.subarray(0, magic.length).equals(magic))
  if (found !== undefined) return found
  if (isPickle(first)) return PICKLES
  const { what, remedy } = foreignFile(first) ?? {}
  return what?.startsWith('a git-lfs') ? { got: what, remedy: remedy! } : undefined
}

/** As {@link foreignData}, for a table, which is no web page either; a text of a folder may well be one. */
export function foreignTable(first: Buffer): ForeignData | undefined {
  const found = foreignData(first)
  if (found !== undefined) return found
  const page = foreignFile(first)
  return page && { got: page.what, remedy: page.remedy }
}
