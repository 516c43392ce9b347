import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Point } from '../points.ts'

/*
 * The messages of TensorBoard that are needed here: tensorflow/core/util/event.proto, framework/summary.proto and
 * framework/tensor.proto.
 */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const
const SUMMARY = { value: 1 } as const
const VALUE = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 } as const
const METADATA = { pluginData: 1, dataClass: 4 } as const
const PLUGIN_DATA = { pluginName: 1 } as const
const TENSOR = { dtype: 1, shape: 2, stringVal: 8 } as const
const DT_STRING = 7
const DATA_CLASS_TENSOR = 2

/** With which every file begins. */
export function versionEvent(at: number): Uint8Array {
  return event(at, 0).tag(EVENT.fileVersion, WireType.LengthDelimited).string('brain.Event:2').finish()
}

/** A figure, as the page *Scalars* shows it. */
export function scalarEvent({ key, step, value, at }: Point): Uint8Array {
  const inner = new BinaryWriter()
  inner.tag(VALUE.tag, WireType.LengthDelimited).string(key)
  inner.tag(VALUE.simpleValue, WireType.Bit32).float(value)
  return withSummary(event(at, step), inner)
}

/** A text in Markdown, as the page *Text* shows it. */
export function textEvent(key: string, text: string, at: number): Uint8Array {
  const plugin = new BinaryWriter().tag(PLUGIN_DATA.pluginName, WireType.LengthDelimited).string('text')
  const metadata = new BinaryWriter()
  metadata.tag(METADATA.pluginData, WireType.LengthDelimited).bytes(plugin.finish())
  metadata.tag(METADATA.dataClass, WireType.Varint).int32(DATA_CLASS_TENSOR)
  const tensor = new BinaryWriter()
  tensor.tag(TENSOR.dtype, WireType.Varint).int32(DT_STRING)
  tensor.tag(TENSOR.shape, WireType.LengthDelimited).bytes(new Uint8Array())
  tensor.tag(TENSOR.stringVal, WireType.LengthDelimited).string(text)
  const inner = new BinaryWriter()
  inner.tag(VALUE.tag, WireType.LengthDelimited).string(key)
  inner.tag(VALUE.tensor, WireType.LengthDelimited).bytes(tensor.finish())
  inner.tag(VALUE.metadata, WireType.LengthDelimited).bytes(metadata.finish())
  return withSummary(event(at, 0), inner)
}

function event(at: number, step: number): BinaryWriter {
  const writer = new BinaryWriter().tag(EVENT.wallTime, WireType.Bit64).double(at / 1000)
  return step === 0 ? writer : writer.tag(EVENT.step, WireType.Varint).int64(step)
}

function withSummary(writer: BinaryWriter, value: BinaryWriter): Uint8Array {
  const summary = new BinaryWriter().tag(SUMMARY.value, WireType.LengthDelimited).bytes(value.finish())
  return writer.tag(EVENT.summary, WireType.LengthDelimited).bytes(summary.finish()).finish()
}

/** Which figure of which step an event holds; undefined for one that holds none. */
export function keyAndStep(bytes: Uint8Array): Pick<Point, 'key' | 'step'> | undefined {
  const summary = field(bytes, EVENT.summary)
  const value = summary instanceof Uint8Array ? field(summary, SUMMARY.value) : undefined
  const tag = value instanceof Uint8Array ? field(value, VALUE.tag) : undefined
  if (!(tag instanceof Uint8Array)) return undefined
  const step = field(bytes, EVENT.step)
  return { key: Buffer.from(tag).toString(), step: typeof step === 'number' ? step : 0 }
}

function field(message: Uint8Array, wanted: number): Uint8Array | number | undefined {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (number !== wanted) reader.skip(type, number)
    else return type === WireType.LengthDelimited ? reader.bytes() : Number(reader.int64())
  }
  return undefined
}
