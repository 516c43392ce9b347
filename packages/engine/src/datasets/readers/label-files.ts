/** What a file of labels in a folder of texts may be called. */
export const LABEL_FILES = ['labels.csv', 'labels.tsv', 'labels.jsonl']
