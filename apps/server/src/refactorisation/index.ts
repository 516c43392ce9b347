export { exactRefactoriser, openRefactoriser, type Refactoriser } from './refactoriser.ts'
export type { RefactorisationReport, StepResult } from './step.ts'
