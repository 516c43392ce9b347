/**
 * onnxruntime-node needs its proxy agent in its install script alone, which on Linux x64 downloads CUDA libraries of some
 * hundred megabytes from another host. It ends here, unless ONNXRUNTIME_NODE_INSTALL says what to download.
 */
exports.bootstrap = () => {
  if (process.env.ONNXRUNTIME_NODE_INSTALL === undefined) process.exit(0)
}
