import type { RegisteredModel } from '../records.ts'
import type { RegisteredModelStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Tables } from './tables.ts'

export function memoryRegisteredModels(tables: Tables): RegisteredModelStore {
  const { registeredModels: rows } = tables
  const versionsOf = (name: string) => rows.filter((row) => row.name === name)
  return {
    list: async () =>
      rows
        .filter(({ isRemoved }) => !isRemoved)
        .map(modelOf)
        .sort((left, right) =>
          left.name === right.name ? right.version - left.version : left.name < right.name ? -1 : 1,
        ),
    firstOf: async (name) => versionsOf(name)[0],
    async register(given, audit) {
      const { name, runId, number, tags } = given
      const same = versionsOf(name).find((row) => row.runId === runId && row.number === number && !row.isRemoved)
      const model = same ?? { ...given, version: versionsOf(name).length + 1, isRemoved: false }
      for (const [index, row] of rows.entries()) {
        if (row.name === name) rows[index] = { ...row, tags: row.tags.filter((tag) => !tags.includes(tag)) }
      }
      const at =
        same === undefined ? rows.length : rows.findIndex((row) => row.name === name && row.version === same.version)
      rows[at] = { ...model, tags: [...tags] }
      appendAudit(tables, audit)
      return modelOf(rows[at])
    },
    async remove({ name, version }, _at, audit) {
      const index = rows.findIndex((row) => row.name === name && row.version === version && !row.isRemoved)
      if (index < 0) return false
      rows[index] = { ...rows[index]!, tags: [], isRemoved: true }
      appendAudit(tables, audit)
      return true
    },
  }
}

function modelOf(row: Tables['registeredModels'][number]): RegisteredModel {
  const { name, version, runId, number, tags, createdAt, createdBy } = row
  return { name, version, runId, number, tags, createdAt, createdBy }
}
