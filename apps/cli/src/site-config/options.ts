import { type Command, Option } from 'commander'
import { siteSettings } from './settings.ts'

/** The option that names the file of a site's settings. */
export function siteConfigOption(): Option {
  return new Option(
    '--config <file>',
    'site configuration, such as site.yaml; options and variables count before it',
  ).env('FEDSVD_CONFIG')
}

/**
 * The options of a command with those of its site configuration, where one is named: an option on the command line
 * counts before its variable, that before the file, and that before the default.
 *
 * @throws FedsvdError CONFIG_INVALID for a file that cannot be read or is not valid
 */
export function withSiteConfig<Options extends { readonly config?: string }>(
  options: Options,
  command: Command,
): Options {
  if (options.config === undefined) return options
  const isGiven = (name: string): boolean => ['cli', 'env'].includes(command.getOptionValueSource(name) ?? '')
  const settings = Object.entries(siteSettings(options.config)).filter(([name]) => !isGiven(name))
  return { ...options, ...Object.fromEntries(settings) }
}
