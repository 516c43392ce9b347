-- What a round reports is found without reading the rounds before it.
-- AlterTable
ALTER TABLE "PrivacyEvent" DROP CONSTRAINT "PrivacyEvent_pkey",
ADD CONSTRAINT "PrivacyEvent_pkey" PRIMARY KEY ("runId", "round", "clientId", "unit", "attempt");
