import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core'

/** One accent: the blue of Okabe and Ito's palette, which people with any colour vision tell from the others. */
const accent: MantineColorsTuple = [
  '#e6f3fb',
  '#cfe5f5',
  '#9dcaea',
  '#68aedf',
  '#3f97d6',
  '#2589d1',
  '#0072b2',
  '#00639c',
  '#00558a',
  '#004877',
]

/** Bundled, so that the page looks alike everywhere; the parts for other scripts are loaded where they are used. */
export const FONT = '"Inter Variable", system-ui, sans-serif'

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 6 },
  colors: { accent },
  fontFamily: FONT,
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  defaultRadius: 'sm',
  respectReducedMotion: true,
  headings: {
    fontWeight: '600',
    sizes: { h1: { fontSize: '1.5rem' }, h2: { fontSize: '1.125rem' }, h3: { fontSize: '1rem' } },
  },
})

/** Descriptions and placeholders with a contrast of 4.5 to 1 or more, which the defaults do not have. */
export const readable: CSSVariablesResolver = () => ({
  variables: {},
  light: { '--mantine-color-dimmed': '#495057', '--mantine-color-placeholder': '#6a7178' },
  dark: { '--mantine-color-dimmed': '#c1c2c5', '--mantine-color-placeholder': '#a6a7ab' },
})

/** Series of a chart, by Okabe and Ito (2008): on white, and on black without their blue, which is too dark there. */
export const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00'] as const
export const PALETTE_ON_DARK = ['#56b4e9', '#e69f00', '#009e73', '#cc79a7', '#f0e442', '#d55e00'] as const
