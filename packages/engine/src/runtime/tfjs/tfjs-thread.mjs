/**
 * The thread in which one backend of TensorFlow.js computes: its CPU backends compute in the thread that asks. Plain
 * JavaScript, so that the thread can begin without a loader.
 */
import { register } from 'tsx/esm/api'
import { answerInTurn, buffersOf } from '../answer-in-turn.mjs'

register()
const { faultOf, tfjsAnswers } = await import('./tfjs-answers.ts')

answerInTurn(tfjsAnswers(buffersOf), faultOf)
