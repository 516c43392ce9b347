-- What two names have in common that are read as the same; the coordinator fills it in for clients from before.
ALTER TABLE "Client" ADD COLUMN "nameKey" TEXT;
CREATE INDEX "Client_nameKey_idx" ON "Client"("nameKey");
