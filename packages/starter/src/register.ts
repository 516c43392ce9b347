import { baseModels, registerModel } from '@fedsvd/engine/extensions'
import { starterModel } from './model.ts'

/**
 * Makes the starter model known to this process; a second call does nothing. Before extensions are loaded, so that none
 * takes its name.
 */
export function registerStarter(): void {
  if (!baseModels.all.includes(starterModel)) registerModel(starterModel)
}
