export interface Usage {
  readonly cpuMs: number
  readonly peakRssMb: number
}

/** Tells the parent, whenever it asks, what this process has used so far. */
export function answerUsage(): void {
  process.on('message', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    process.send?.({
      cpuMs: (userCPUTime + systemCPUTime) / 1000,
      peakRssMb: Math.round(maxRSS / 1024),
    } satisfies Usage)
  })
}
