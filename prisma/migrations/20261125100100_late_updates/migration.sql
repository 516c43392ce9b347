-- AlterEnum
ALTER TYPE "TaskState" ADD VALUE 'late';

-- AlterTable
ALTER TABLE "Round" ADD COLUMN "bufferSize" INTEGER;

-- AlterTable: until now each update was counted in its own round
ALTER TABLE "Update" ADD COLUMN "countedIn" INTEGER;
UPDATE "Update" SET "countedIn" = "round";
ALTER TABLE "Update" ALTER COLUMN "countedIn" SET NOT NULL;

-- CreateIndex
CREATE INDEX "Update_runId_countedIn_idx" ON "Update"("runId", "countedIn");

-- AddForeignKey
ALTER TABLE "Update" ADD CONSTRAINT "Update_runId_countedIn_fkey" FOREIGN KEY ("runId", "countedIn") REFERENCES "Round"("runId", "number") ON DELETE RESTRICT ON UPDATE CASCADE;
