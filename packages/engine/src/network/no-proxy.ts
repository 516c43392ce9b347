import { BlockList, isIP } from 'node:net'

/**
 * Whether `NO_PROXY` names the host of an address: entries between commas or spaces, each `*` (everything), a host name
 * (itself and every name below it, with or without a leading `.` or `*.`), an IP address, or a range such as
 * `10.0.0.0/8`. An entry with a port counts for that port alone. What is none of these names nothing.
 */
export function isNamedBy(noProxy: string, { hostname, port, protocol }: URL): boolean {
  const host = bare(hostname)
  const ownPort = port || (protocol === 'https:' ? '443' : '80')
  return noProxy.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true
    const { name, port: onlyPort } = splitPort(entry)
    if (name === '' || (onlyPort !== undefined && onlyPort !== ownPort)) return false
    if (isIP(host) !== 0) return namesAddress(name, host)
    return host === name || host.endsWith(`.${name}`)
  })
}

/** Without brackets, a final dot or capitals. */
function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}

function splitPort(entry: string): { readonly name: string; readonly port: string | undefined } {
  const isAddress = isIP(entry) !== 0
  const [, host = entry, port] = (isAddress ? null : /^(.+):(\d+)$/.exec(entry)) ?? []
  return { name: bare(host.replace(/^\*?\./, '')), port }
}

function namesAddress(entry: string, host: string): boolean {
  const [network = '', bits] = entry.split('/')
  const [family, own] = [isIP(bare(network)), isIP(host)]
  if (family === 0 || family !== own) return false
  const most = family === 4 ? 32 : 128
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return false
  const length = Number(bits ?? most)
  if (length > most) return false
  const list = new BlockList()
  list.addSubnet(bare(network), length, family === 4 ? 'ipv4' : 'ipv6')
  return list.check(host, own === 4 ? 'ipv4' : 'ipv6')
}
