-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "RunState" AS ENUM ('waiting', 'running', 'completed', 'stopped', 'failed');

-- CreateEnum
CREATE TYPE "RoundPhase" AS ENUM ('selected', 'tasked', 'received', 'aggregated', 'published');

-- CreateEnum
CREATE TYPE "TaskState" AS ENUM ('selected', 'tasked', 'refused', 'delivered');

-- CreateEnum
CREATE TYPE "EventSource" AS ENUM ('coordinator', 'client');

-- CreateTable
CREATE TABLE "Client" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "publicKey" TEXT NOT NULL,
    "enrolledAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Client_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "EnrolmentToken" (
    "hash" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "usedAt" TIMESTAMPTZ(3),
    "clientId" UUID,

    CONSTRAINT "EnrolmentToken_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "Run" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "state" "RunState" NOT NULL,
    "reason" TEXT,
    "manifest" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL,
    "endedAt" TIMESTAMPTZ(3),
    "majority" DOUBLE PRECISION,
    "holdOut" INTEGER,

    CONSTRAINT "Run_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Participant" (
    "runId" UUID NOT NULL,
    "clientId" UUID NOT NULL,
    "declaredRecords" INTEGER NOT NULL,
    "sampleRate" DOUBLE PRECISION NOT NULL,
    "noiseMultiplier" DOUBLE PRECISION NOT NULL,
    "epsilon" DOUBLE PRECISION NOT NULL,
    "delta" DOUBLE PRECISION NOT NULL,
    "joinedAt" TIMESTAMPTZ(3) NOT NULL,
    "withdrawal" TEXT,

    CONSTRAINT "Participant_pkey" PRIMARY KEY ("runId","clientId")
);

-- CreateTable
CREATE TABLE "Round" (
    "runId" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "phase" "RoundPhase" NOT NULL,
    "version" INTEGER NOT NULL,
    "openedAt" TIMESTAMPTZ(3) NOT NULL,
    "deadline" TIMESTAMPTZ(3) NOT NULL,
    "extensions" INTEGER NOT NULL,
    "closedAt" TIMESTAMPTZ(3),
    "publishedAt" TIMESTAMPTZ(3),
    "accuracy" DOUBLE PRECISION,
    "loss" DOUBLE PRECISION,
    "records" INTEGER,

    CONSTRAINT "Round_pkey" PRIMARY KEY ("runId","number")
);

-- CreateTable
CREATE TABLE "Task" (
    "runId" UUID NOT NULL,
    "round" INTEGER NOT NULL,
    "clientId" UUID NOT NULL,
    "state" "TaskState" NOT NULL,

    CONSTRAINT "Task_pkey" PRIMARY KEY ("runId","round","clientId")
);

-- CreateTable
CREATE TABLE "Update" (
    "runId" UUID NOT NULL,
    "round" INTEGER NOT NULL,
    "clientId" UUID NOT NULL,
    "sha256" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Update_pkey" PRIMARY KEY ("runId","round","clientId")
);

-- CreateTable
CREATE TABLE "Adapter" (
    "runId" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "basis" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "publishedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Adapter_pkey" PRIMARY KEY ("runId","number")
);

-- CreateTable
CREATE TABLE "PrivacyEvent" (
    "runId" UUID NOT NULL,
    "round" INTEGER NOT NULL,
    "clientId" UUID NOT NULL,
    "attempt" INTEGER NOT NULL,
    "mechanism" TEXT NOT NULL,
    "sampleRate" DOUBLE PRECISION NOT NULL,
    "noiseMultiplier" DOUBLE PRECISION NOT NULL,
    "steps" INTEGER NOT NULL,
    "clipNorm" DOUBLE PRECISION NOT NULL,
    "relation" TEXT NOT NULL,
    "unit" TEXT NOT NULL,
    "source" "EventSource" NOT NULL,
    "voided" BOOLEAN NOT NULL DEFAULT false,
    "recordedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "PrivacyEvent_pkey" PRIMARY KEY ("runId","clientId","round","attempt")
);

-- CreateTable
CREATE TABLE "Alert" (
    "id" BIGSERIAL NOT NULL,
    "runId" UUID NOT NULL,
    "clientId" UUID,
    "code" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Alert_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "EnrolmentToken_clientId_key" ON "EnrolmentToken"("clientId");

-- CreateIndex
CREATE INDEX "Run_state_idx" ON "Run"("state");

-- CreateIndex
CREATE INDEX "Adapter_sha256_idx" ON "Adapter"("sha256");

-- CreateIndex
CREATE INDEX "Alert_runId_id_idx" ON "Alert"("runId", "id");

-- AddForeignKey
ALTER TABLE "EnrolmentToken" ADD CONSTRAINT "EnrolmentToken_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Participant" ADD CONSTRAINT "Participant_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Participant" ADD CONSTRAINT "Participant_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Round" ADD CONSTRAINT "Round_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_runId_round_fkey" FOREIGN KEY ("runId", "round") REFERENCES "Round"("runId", "number") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Update" ADD CONSTRAINT "Update_runId_round_fkey" FOREIGN KEY ("runId", "round") REFERENCES "Round"("runId", "number") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Update" ADD CONSTRAINT "Update_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Adapter" ADD CONSTRAINT "Adapter_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PrivacyEvent" ADD CONSTRAINT "PrivacyEvent_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PrivacyEvent" ADD CONSTRAINT "PrivacyEvent_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Alert" ADD CONSTRAINT "Alert_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


