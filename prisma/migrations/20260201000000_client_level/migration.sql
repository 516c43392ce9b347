-- AlterTable
ALTER TABLE "PrivacyEvent" DROP CONSTRAINT "PrivacyEvent_pkey",
ADD CONSTRAINT "PrivacyEvent_pkey" PRIMARY KEY ("runId", "clientId", "round", "unit", "attempt");

-- CreateIndex
CREATE INDEX "PrivacyEvent_unit_clientId_idx" ON "PrivacyEvent"("unit", "clientId");

-- AlterTable
ALTER TABLE "Adapter" ADD COLUMN "clipNorm" DOUBLE PRECISION,
ADD COLUMN "clientClipNorm" DOUBLE PRECISION;
