-- AlterTable
ALTER TABLE "Client" ADD COLUMN     "ledgerHead" TEXT,
ADD COLUMN     "ledgerLength" INTEGER;
