import { DEFAULT_TASK, predictsTokens, type Task } from '@fedsvd/core/lora'
import type { ExportFormat } from '../settings/index.ts'
import { literal, plainText } from './markdown.ts'

/** What decides how an export is used. */
export interface Usage {
  readonly format: ExportFormat
  readonly task?: Task | undefined
  readonly labels: readonly string[]
  /** The base model's name: of a hub, of a folder, or of code such as `starter`. */
  readonly model: string
  /** Where the base model is code, and no checkpoint that other libraries could load. */
  readonly isCode: boolean
  /** Whether the tokenizer's files are in the folder. */
  readonly hasTokenizer: boolean
}

/** How people use the folder, in Markdown, with code that runs as it stands in the folder above `model`. */
export function usageOf(usage: Usage): string {
  return [withFedsvd(usage), withOthers(usage)].join('\n\n')
}

function withFedsvd({ format, task = DEFAULT_TASK, isCode, model }: Usage): string {
  const needs =
    format === 'peft' && !isCode
      ? ` The checkpoint ${plainText(model)} has to lie below the folder of \`--models\`.`
      : ''
  const input = predictsTokens(task) ? 'Once upon a time' : 'A text to ask the model about'
  return `With fedsvd, on this machine.${needs}

\`\`\`
echo ${literal(input)} | fedsvd predict model
fedsvd evaluate model --data test.csv
fedsvd serve-model model --port 8080
\`\`\``
}

function withOthers(usage: Usage): string {
  if (usage.format === 'onnx') return onnxUsage(usage)
  if (usage.isCode) {
    return `The base model ${plainText(usage.model)} is code of fedsvd: neither PEFT nor Transformers knows it, and \`AutoPeftModel\` cannot load this folder. For other libraries export the run with \`--format onnx\`: that file has the whole model inside.`
  }
  return usage.format === 'peft' ? peftUsage(usage) : mergedUsage(usage)
}

/** The ending of Hugging Face's classes, and the pipeline's name. */
const CLASSES = {
  'sequence-classification': ['SequenceClassification', 'text-classification'],
  'token-classification': ['TokenClassification', 'token-classification'],
  'causal-lm': ['CausalLM', 'text-generation'],
  'instruction-tuning': ['CausalLM', 'text-generation'],
} as const satisfies Record<Task, readonly [string, string]>

/** What the Hub calls the task. */
export function pipelineOf(task: Task = DEFAULT_TASK): string {
  return CLASSES[task][1]
}

function peftUsage({ task = DEFAULT_TASK, labels, model, hasTokenizer }: Usage): string {
  const [ending] = CLASSES[task]
  const heads = labels.length > 0 ? ', num_labels=len(labels), id2label=dict(enumerate(labels))' : ''
  const [path, revision] = model.split('@') as [string, string?]
  const isOfHub = path.includes('/')
  const loaded = isOfHub
    ? `model = AutoPeftModelFor${ending}.from_pretrained("model"${heads})`
    : `base = AutoModelFor${ending}.from_pretrained(${literal(path)}${heads})  # the checkpoint's folder
model = PeftModel.from_pretrained(base, "model")`
  const classes = isOfHub ? `AutoPeftModelFor${ending}` : 'PeftModel'
  const ofBase = `${literal(path)}${revision === undefined ? '' : `, revision=${literal(revision)}`}`
  return `With PEFT. The adapter config has no room for labels, so they are given by hand.

\`\`\`python
from peft import ${classes}
from transformers import ${isOfHub ? '' : `AutoModelFor${ending}, `}AutoTokenizer

${labels.length > 0 ? `labels = [${labels.map(literal).join(', ')}]\n` : ''}${loaded}
tokenizer = AutoTokenizer.from_pretrained(${hasTokenizer ? '"model"' : ofBase})
${asked(task)}
\`\`\``
}

function mergedUsage({ task = DEFAULT_TASK }: Usage): string {
  const [, pipeline] = CLASSES[task]
  return `With Transformers.

\`\`\`python
from transformers import pipeline

ask = pipeline("${pipeline}", model="model"${predictsTokens(task) ? '' : ', truncation=True'})
print(ask("A text to ask the model about"))
\`\`\``
}

function asked(task: Task): string {
  const inputs = 'inputs = tokenizer("A text to ask the model about", truncation=True, return_tensors="pt")'
  if (predictsTokens(task)) return `${inputs}\nprint(tokenizer.decode(model.generate(**inputs, max_new_tokens=40)[0]))`
  if (task === 'token-classification') {
    return `${inputs}\nprint([labels[i] for i in model(**inputs).logits[0].argmax(-1).tolist()])`
  }
  return `${inputs}\nprint(labels[model(**inputs).logits.argmax(-1).item()])`
}

function onnxUsage({ task = DEFAULT_TASK, model, isCode }: Usage): string {
  const names = '`input_ids`, `attention_mask` and, where the model reads it, `token_type_ids`'
  const graph = `\`onnx/model.onnx\` takes ${names} ([N, T], int64, the padding behind each text) and gives \`logits\`, in any ONNX runtime.`
  if (predictsTokens(task)) {
    return `${graph} It keeps no cache of keys and values: whoever writes texts with it feeds all tokens again for each new one (Optimum: \`use_cache=False\`). transformers.js generates with a cache only.`
  }
  const tokenizer = isCode
    ? ` The tokenizer of ${plainText(model)} is written as tokenizer.json: the same pieces, of which a few of a thousand come in another order (decision 162). config.json calls the type distilbert, so that libraries feed it ids and a mask; nothing else of a DistilBERT is in it.`
    : ''
  return `${graph}${tokenizer} With transformers.js:

\`\`\`js
import { pipeline } from ${literal('@huggingface/transformers')}

const ask = await pipeline('${CLASSES[task][1]}', './model', { local_files_only: true })
console.log(await ask('A text to ask the model about'))
\`\`\``
}
