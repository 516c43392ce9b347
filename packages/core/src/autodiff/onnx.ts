import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Attribute, Constant, DType, Graph, Operation, Value } from './value.ts'

/** The operator set and file version that the graph's operators are defined in. */
const OPSET_VERSION = 18
const IR_VERSION = 8

/** Numbers of ONNX's `TensorProto.DataType`. */
const DATA_TYPE: Readonly<Record<DType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 }

/** ONNX's `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1

/** Numbers of ONNX's `AttributeProto.AttributeType`. */
const ATTRIBUTE_TYPE = { float: 1, int: 2, ints: 7 } as const

/** An operation as a runtime takes it: one of the graph's, or one of onnxruntime's own. */
export interface OnnxOperation extends Omit<Operation, 'op'> {
  readonly op: string
  /** Absent for ONNX's own. */
  readonly domain?: typeof MICROSOFT
}

/** A graph as a runtime takes it. */
export interface OnnxGraph extends Omit<Graph, 'operations'> {
  readonly operations: readonly OnnxOperation[]
}

/** The domain of onnxruntime's own operators. */
export const MICROSOFT = 'com.microsoft'

/** Where a weight's bytes lie in a file beside the model. */
export interface ExternalData {
  /** Name of the file, in the folder of the model. */
  readonly location: string
  readonly offset: number
}

/**
 * An ONNX `ModelProto`, as any ONNX runtime reads it. Field numbers are those of onnx.proto3.
 *
 * Constants for which `external` has a place are left out; a model with more than 2 GB of others cannot be encoded.
 */
export function toOnnx(
  graph: OnnxGraph,
  name: string,
  external: (constant: Constant) => ExternalData | undefined = () => undefined,
): Uint8Array<ArrayBuffer> {
  const model = new BinaryWriter()
  model.tag(1, WireType.Varint).int64(IR_VERSION)
  model.tag(2, WireType.LengthDelimited).string('fedsvd')
  message(model, 8, (opset) => opset.tag(2, WireType.Varint).int64(OPSET_VERSION))
  message(model, 8, (opset) => {
    opset.tag(1, WireType.LengthDelimited).string(MICROSOFT)
    opset.tag(2, WireType.Varint).int64(1)
  })
  message(model, 7, (body) => {
    for (const operation of graph.operations) message(body, 1, (node) => writeNode(node, operation))
    body.tag(2, WireType.LengthDelimited).string(name)
    for (const constant of graph.constants) {
      message(body, 5, (tensor) => writeTensor(tensor, constant, external(constant)))
    }
    for (const input of graph.inputs) message(body, 11, (info) => writeValueInfo(info, input))
    for (const output of graph.outputs) message(body, 12, (info) => writeValueInfo(info, output))
  })
  return model.finish()
}

function writeNode(node: BinaryWriter, { op, domain, inputs, outputs, attributes }: OnnxOperation): void {
  for (const { name } of inputs) node.tag(1, WireType.LengthDelimited).string(name)
  for (const { name } of outputs) node.tag(2, WireType.LengthDelimited).string(name)
  node.tag(3, WireType.LengthDelimited).string(outputs[0]!.name)
  node.tag(4, WireType.LengthDelimited).string(op)
  if (domain) node.tag(7, WireType.LengthDelimited).string(domain)
  for (const [name, value] of Object.entries(attributes)) {
    message(node, 5, (attribute) => writeAttribute(attribute, name, value))
  }
}

function writeAttribute(attribute: BinaryWriter, name: string, value: Attribute): void {
  attribute.tag(1, WireType.LengthDelimited).string(name)
  if ('float' in value) attribute.tag(2, WireType.Bit32).float(value.float)
  else if ('int' in value) attribute.tag(3, WireType.Varint).int64(value.int)
  else for (const entry of value.ints) attribute.tag(8, WireType.Varint).int64(entry)
  const type = 'float' in value ? ATTRIBUTE_TYPE.float : 'int' in value ? ATTRIBUTE_TYPE.int : ATTRIBUTE_TYPE.ints
  attribute.tag(20, WireType.Varint).int32(type)
}

function writeTensor(
  tensor: BinaryWriter,
  { name, dtype, shape, data }: Constant,
  external: ExternalData | undefined,
): void {
  for (const size of shape) tensor.tag(1, WireType.Varint).int64(size)
  tensor.tag(2, WireType.Varint).int32(DATA_TYPE[dtype])
  tensor.tag(8, WireType.LengthDelimited).string(name)
  if (!external) {
    tensor.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    return
  }
  const entries = { location: external.location, offset: `${external.offset}`, length: `${data.byteLength}` }
  for (const [key, value] of Object.entries(entries)) {
    message(tensor, 13, (entry) => {
      entry.tag(1, WireType.LengthDelimited).string(key)
      entry.tag(2, WireType.LengthDelimited).string(value)
    })
  }
  tensor.tag(14, WireType.Varint).int32(EXTERNAL)
}

function writeValueInfo(info: BinaryWriter, { name, dtype, shape }: Value): void {
  info.tag(1, WireType.LengthDelimited).string(name)
  message(info, 2, (type) =>
    message(type, 1, (tensorType) => {
      tensorType.tag(1, WireType.Varint).int32(DATA_TYPE[dtype])
      message(tensorType, 2, (dims) => {
        for (const dim of shape) {
          message(dims, 1, (entry) => {
            if (typeof dim === 'number') entry.tag(1, WireType.Varint).int64(dim)
            else entry.tag(2, WireType.LengthDelimited).string(dim)
          })
        }
      })
    }),
  )
}

/** One embedded message: its tag, its length, its fields. */
function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => unknown): void {
  writer.tag(field, WireType.LengthDelimited).fork()
  write(writer)
  writer.join()
}
