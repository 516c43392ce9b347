-- Which states of a run stay once it is over, and which are gone.
ALTER TABLE "Run" ADD COLUMN "keep" TEXT;
ALTER TABLE "Adapter" ADD COLUMN "retiredAt" TIMESTAMPTZ(3);

-- States of runs under names.
CREATE TABLE "RegisteredModel" (
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "runId" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "tags" TEXT[],
    "createdAt" TIMESTAMPTZ(3) NOT NULL,
    "createdBy" TEXT NOT NULL,
    "removedAt" TIMESTAMPTZ(3),

    CONSTRAINT "RegisteredModel_pkey" PRIMARY KEY ("name","version")
);

-- CreateIndex
CREATE INDEX "RegisteredModel_runId_idx" ON "RegisteredModel"("runId");

-- AddForeignKey
ALTER TABLE "RegisteredModel" ADD CONSTRAINT "RegisteredModel_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
