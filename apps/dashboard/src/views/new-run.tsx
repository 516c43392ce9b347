export default function V(_: { readonly clientId?: string }) { return null }
