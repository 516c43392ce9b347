-- Which updates are stored under a name: asked before an object is removed.
CREATE INDEX "Update_sha256_idx" ON "Update"("sha256");
