import type { RepositoryName } from '../core/reference.ts';

/** What people can do about a refusal at one kind of registry. */
interface Advice {
  /** Which right, and where it is given. */
  readonly access: (name: RepositoryName, writing: boolean) => string;
  /** How a repository comes to be, where a push does not make it. */
  readonly creation?: (name: RepositoryName) => string;
}

const ECR = /^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/;

/** The first whose name fits; the rest is {@link anyRegistry}. */
const ADVICE: readonly (readonly [registry: RegExp, advice: Advice])[] = [
  [/^ghcr\.io$/, { access: (name, writing) => githubAccess(name, writing, 'https://github.com') }],
  [/^containers\..*(?:github|\bghe\b)/, { access: githubServerAccess }],
  [
    /^docker\.io$/,
    {
      access: ({ path }, writing) =>
        writing
          ? `Log in with an access token that has "Read & Write": https://app.docker.com/settings/personal-access-tokens. ` +
            `${path} must be there, or its owner able to create it: https://hub.docker.com/repository/docker/${path}.`
          : `Log in as a user who may read ${path}, with an access token: https://app.docker.com/settings/personal-access-tokens.`,
    },
  ],
  [ECR, { access: ecrAccess, creation: ecrCreation }],
  [
    /^public\.ecr\.aws$/,
    {
      access: ({ path }, writing) =>
        `Log in again, a login lasts 12 hours: aws ecr-public get-login-password --region us-east-1. ` +
        `The role needs ecr-public:GetAuthorizationToken, sts:GetServiceBearerToken${writing ? ' and ecr-public:PutImage' : ''} for ${path}.`,
      creation: ({ path }) =>
        `A push creates no repository here: aws ecr-public create-repository --region us-east-1 --repository-name ${withoutAlias(path)}.`,
    },
  ],
  [/(?:^|\.)gcr\.io$|-docker\.pkg\.dev$/, { access: googleAccess, creation: googleCreation }],
  [
    /\.azurecr\.(?:io|cn|us)$/,
    {
      access: ({ registry, path }, writing) =>
        `Give the identity the role ${writing ? 'AcrPush' : 'AcrPull'} on ${registry} (where roles are per repository: ` +
        `"Container Registry Repository ${writing ? 'Writer' : 'Reader'}" for ${path}), under "Access control (IAM)" of the registry: https://portal.azure.com.`,
    },
  ],
  [
    /^quay\.io$/,
    {
      access: ({ path }, writing) =>
        `Give the robot account or the user the permission "${writing ? 'Write' : 'Read'}": https://quay.io/repository/${path}?tab=settings.` +
        (writing ? ' To create a repository, the robot also needs the "Creator" role in a team.' : ''),
    },
  ],
  [
    /^registry\.gitlab\./,
    {
      access: ({ registry, path }, writing) =>
        `Use a deploy token or a personal access token with the scope ${writing ? 'write_registry' : 'read_registry'}, made in ` +
        `Settings → Repository of the project on https://${registry.slice('registry.'.length)}; CI_JOB_TOKEN is for its own project only. ` +
        `${path} must begin with the project's path.`,
    },
  ],
];

/** What to do about a 401 or 403 for this repository: which right is missing, and on which page it is given. */
export function accessHint(name: RepositoryName, writing: boolean): string {
  return (adviceFor(name)?.access ?? anyRegistry)(name, writing);
}

/** What to do when a push finds no such repository (404). */
export function creationHint(name: RepositoryName): string {
  const own = adviceFor(name)?.creation;
  if (own !== undefined) return own(name);
  return `Create the repository or project of ${name.path} in ${name.registry} first, or check its spelling and that the login may see it.`;
}

function adviceFor({ registry }: RepositoryName): Advice | undefined {
  return ADVICE.find(([pattern]) => pattern.test(registry))?.[1];
}

function anyRegistry({ registry, path }: RepositoryName, writing: boolean): string {
  const right = writing ? 'push to' : 'read';
  return `Log in to ${registry} with credentials that may ${right} ${path}: inputs registry, username and password, or docker login.`;
}

function githubAccess({ path }: RepositoryName, writing: boolean, server: string): string {
  const [owner = '', ...rest] = path.split('/');
  const page = `packages/container/${encodeURIComponent(rest.join('/'))}/settings`;
  return (
    `Give the job the permission "packages: ${writing ? 'write' : 'read'}". A package that another repository created must ` +
    `give this one the role "${writing ? 'Write' : 'Read'}" under "Manage Actions access": ${server}/orgs/${owner}/${page} ` +
    `(of a person: ${server}/users/${owner}/${page}).`
  );
}

/** https://docs.github.com/en/enterprise-server@3.17/packages/working-with-a-github-packages-registry/working-with-the-container-registry */
function githubServerAccess(name: RepositoryName, writing: boolean): string {
  return githubAccess(name, writing, `https://${name.registry.slice('containers.'.length)}`);
}

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html */
function ecrAccess({ registry, path }: RepositoryName, writing: boolean): string {
  const [, account = '', region = ''] = ECR.exec(registry) ?? [];
  const rights = writing
    ? 'ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage, ecr:BatchGetImage'
    : 'ecr:BatchGetImage, ecr:GetDownloadUrlForLayer';
  return (
    `Log in again, a login lasts 12 hours. The role needs ecr:GetAuthorizationToken, ${rights} on ${path}: ` +
    `https://${region}.console.aws.amazon.com/ecr/repositories/private/${account}/${path}/permissions.`
  );
}

function ecrCreation({ registry, path }: RepositoryName): string {
  const [, , region = ''] = ECR.exec(registry) ?? [];
  return `A push creates no repository here: aws ecr create-repository --region ${region} --repository-name ${path}.`;
}

/** https://cloud.google.com/artifact-registry/docs/access-control */
function googleAccess({ registry, path }: RepositoryName, writing: boolean): string {
  const [project = '', repository = ''] = path.split('/');
  const role = writing ? 'Writer (roles/artifactregistry.writer)' : 'Reader (roles/artifactregistry.reader)';
  const where = registry.endsWith('gcr.io') ? `the repository ${registry}` : `the repository ${repository}`;
  return `Give the account the role Artifact Registry ${role} on ${where}: https://console.cloud.google.com/artifacts?project=${project}.`;
}

function googleCreation({ registry, path }: RepositoryName): string {
  const [project = '', repository = ''] = path.split('/');
  const name = registry.endsWith('gcr.io') ? registry : repository;
  const location = /^(.+)-docker\.pkg\.dev$/.exec(registry)?.[1] ?? 'LOCATION';
  return (
    `A push creates no repository here: gcloud artifacts repositories create ${name} --repository-format=docker ` +
    `--location=${location} --project=${project}.`
  );
}

/** `public.ecr.aws/ALIAS/NAME`: the name may have slashes of its own. */
function withoutAlias(path: string): string {
  return path.slice(path.indexOf('/') + 1);
}
