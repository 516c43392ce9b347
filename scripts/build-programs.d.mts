export function buildPrograms(options?: { readonly withTests?: boolean }): Promise<void>
