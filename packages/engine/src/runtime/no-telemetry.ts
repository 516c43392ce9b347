/*
 * Imported before onnxruntime. From version 1.29 on, where it finds no continuous integration around it, onnxruntime
 * keeps an identifier of the machine and a queue of events about sessions, models and errors in the user's folder, and
 * sends them to its makers. A site that trains in private tells nobody that it does. The library reads this once, when
 * it starts; a worker thread's own copy of the environment would not reach it.
 */
process.env.ORT_DISABLE_TELEMETRY = '1'
