/** The version of every message and frame. Peers that speak another one are told so and turned away. */
export const PROTOCOL_VERSION = 1
