# One image for the coordinator and the clients: the command decides which it is.
FROM node:20-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/core/package.json packages/core/
COPY packages/engine/package.json packages/engine/
COPY apps/server/package.json apps/server/
COPY apps/client/package.json apps/client/
COPY apps/cli/package.json apps/cli/
COPY apps/dashboard/package.json apps/dashboard/
COPY scripts/generate-prisma-client.mjs scripts/
COPY prisma prisma
RUN npm ci
COPY tsconfig.base.json ./
COPY packages packages
COPY apps apps
RUN npm run generate && npm run build --workspace apps/dashboard && mkdir -p /var/lib/fedsvd && chown node /var/lib/fedsvd
USER node
VOLUME /var/lib/fedsvd
ENV FEDSVD_STATE_DIR=/var/lib/fedsvd
ENTRYPOINT ["node", "apps/cli/bin/fedsvd.mjs"]
CMD ["--help"]
