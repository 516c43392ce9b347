/** One linear layer: `y = x W + bias` with W [dIn, dOut]. */
export interface LinearLayer {
  readonly name: string
  readonly dIn: number
  readonly dOut: number
}
