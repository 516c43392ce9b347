export const BUILD: URL
export function builtProgram(name: string): URL | undefined
