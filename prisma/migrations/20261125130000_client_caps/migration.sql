-- AlterTable
ALTER TABLE "Client" ADD COLUMN     "lastSeenAt" TIMESTAMPTZ(3),
ADD COLUMN     "version" TEXT;

-- AlterTable
ALTER TABLE "PrivacyEvent" ADD COLUMN     "reportedAt" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "BudgetCap" (
    "id" BIGSERIAL NOT NULL,
    "clientId" UUID NOT NULL,
    "epsilon" DOUBLE PRECISION NOT NULL,
    "delta" DOUBLE PRECISION NOT NULL,
    "actor" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "BudgetCap_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "BudgetCap_clientId_id_idx" ON "BudgetCap"("clientId", "id");

-- AddForeignKey
ALTER TABLE "BudgetCap" ADD CONSTRAINT "BudgetCap_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
