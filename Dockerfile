# One image for the coordinator and the clients: the command decides which it is.
#
# A release is built on a base that is pinned by its digest: `node scripts/check-image.mjs --pin` writes it here, and without
# `--pin` the script fails while it is missing. See docs/how-to/build-the-image.md.
ARG NODE_IMAGE=node:24-bookworm-slim

# What every stage installs from: manifests alone, so that a change of the source leaves the installed packages as they are.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/core/package.json packages/core/
COPY packages/engine/package.json packages/engine/
COPY apps/server/package.json apps/server/
COPY apps/client/package.json apps/client/
COPY apps/cli/package.json apps/cli/
COPY apps/dashboard/package.json apps/dashboard/
COPY scripts/no-cuda scripts/no-cuda

# Builds what is generated: the database client and the page. It has the tools for that; nothing of them is copied on.
FROM manifests AS build
COPY scripts/generate-prisma-client.mjs scripts/build-programs.mjs scripts/
COPY apps/cli/bin apps/cli/bin
COPY prisma prisma
RUN npm ci
COPY tsconfig.base.json ./
COPY packages packages
COPY apps apps
RUN npm run generate && npm run build --workspace apps/dashboard

# What runs: production dependencies alone.
FROM manifests AS production
COPY scripts/prune-image.mjs scripts/
RUN npm ci --omit=dev --ignore-scripts && node scripts/prune-image.mjs && rm -r scripts

FROM ${NODE_IMAGE}
WORKDIR /app
ENV NODE_ENV=production
COPY --from=production /app ./
COPY tsconfig.base.json ./
COPY prisma prisma
COPY packages packages
COPY apps apps
COPY --from=build /app/apps/server/src/storage/records/postgres/generated apps/server/src/storage/records/postgres/generated
COPY --from=build /app/apps/dashboard/dist apps/dashboard/dist
# The user of the image may write to its state folder and its home, and to nothing of the program.
RUN install -d -o node -g node -m 700 /var/lib/fedsvd
USER node
WORKDIR /var/lib/fedsvd
VOLUME /var/lib/fedsvd
ENV FEDSVD_STATE_DIR=/var/lib/fedsvd
# Asks the coordinator where one serves on the usual port; a client has no port, and is well while it runs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["node", "/app/apps/cli/bin/health.mjs"]
ENTRYPOINT ["node", "/app/apps/cli/bin/fedsvd.mjs"]
CMD ["--help"]
