-- AlterTable
ALTER TABLE "Adapter" ADD COLUMN     "spectra" JSONB;
