-- Steps of rounds that have not begun are one number for each client and run, and facts can be set aside.
-- AlterTable
ALTER TABLE "Participant" ADD COLUMN     "stepsAhead" DOUBLE PRECISION NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "PrivacyEvent" ADD COLUMN     "quarantinedAt" TIMESTAMPTZ(3);
