-- AlterEnum
ALTER TYPE "RunState" ADD VALUE 'paused' AFTER 'running';

-- CreateTable
CREATE TABLE "RunPlan" (
    "runId" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "rounds" INTEGER NOT NULL,
    "quorum" INTEGER NOT NULL,
    "clientsPerRound" INTEGER NOT NULL,
    "deadlineSeconds" DOUBLE PRECISION NOT NULL,
    "changedAt" TIMESTAMPTZ(3) NOT NULL,
    "changedBy" TEXT NOT NULL,

    CONSTRAINT "RunPlan_pkey" PRIMARY KEY ("runId","version")
);

-- AddForeignKey
ALTER TABLE "RunPlan" ADD CONSTRAINT "RunPlan_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AlterTable: rounds that are stored already went by the manifest
ALTER TABLE "Round" ADD COLUMN "quorum" INTEGER,
ADD COLUMN "clientsPerRound" INTEGER,
ADD COLUMN "deadlineSeconds" DOUBLE PRECISION;

UPDATE "Round" SET
    "quorum" = ("Run"."manifest"->>'quorum')::INTEGER,
    "clientsPerRound" = ("Run"."manifest"->>'clientsPerRound')::INTEGER,
    "deadlineSeconds" = ("Run"."manifest"->>'deadlineSeconds')::DOUBLE PRECISION
FROM "Run" WHERE "Run"."id" = "Round"."runId";

ALTER TABLE "Round" ALTER COLUMN "quorum" SET NOT NULL,
ALTER COLUMN "clientsPerRound" SET NOT NULL,
ALTER COLUMN "deadlineSeconds" SET NOT NULL;
