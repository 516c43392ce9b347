export { type SimulatedSite, startSimulatedSite } from './simulated-site.ts'
