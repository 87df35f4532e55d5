import { describe, expect, test } from 'vitest';
import { parseRepositoryName } from '../../src/core/reference.ts';
import { accessHint, creationHint } from '../../src/registry/access-hint.ts';

const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app';

/** The repository of this text. */
function named(text: string): Parameters<typeof accessHint>[0] {
  const name = parseRepositoryName(text);
  if (!name.ok) throw new TypeError(name.problem);
  return name.value;
}

describe('the hint of a refusal', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    [
      'ghcr.io/acme/app/cli',
      ['"packages: write"', 'another repository created', '"Manage Actions access"', '"Write"'],
      ['"packages: read"', '"Read"'],
    ],
    ['ghcr.io/acme/app/cli', ['https://github.com/orgs/acme/packages/container/app%2Fcli/settings'], []],
    ['ghcr.io/acme/app/cli', ['https://github.com/users/acme/packages/container/app%2Fcli/settings'], []],
    ['containers.acme.ghe.com/acme/app', ['https://acme.ghe.com/orgs/acme/packages/container/app/settings'], []],
    ['containers.github.acme.example/acme/app', ['https://github.acme.example/users/acme/packages/'], []],
    [
      'acme/app',
      ['"Read & Write"', 'https://app.docker.com/settings/personal-access-tokens', 'acme/app must be there'],
      ['may read acme/app'],
    ],
    [ECR, ['12 hours', 'ecr:PutImage', 'ecr:CompleteLayerUpload'], ['ecr:BatchGetImage']],
    [
      ECR,
      [
        'https://eu-central-1.console.aws.amazon.com/ecr/repositories/private/123456789012/team/app/permissions',
        'team/app',
      ],
      [],
    ],
    ['public.ecr.aws/a1b2c3d4/app', ['ecr-public:PutImage', '--region us-east-1'], ['ecr-public:']],
    [
      'europe-docker.pkg.dev/my-project/images/app',
      [
        'roles/artifactregistry.writer',
        'repository images',
        'https://console.cloud.google.com/artifacts?project=my-project',
      ],
      ['roles/artifactregistry.reader'],
    ],
    ['eu.gcr.io/my-project/app', ['roles/artifactregistry.writer', 'eu.gcr.io'], []],
    ['acme.azurecr.io/app', ['AcrPush', 'acme.azurecr.io', 'https://portal.azure.com'], ['AcrPull']],
    ['quay.io/acme/app', ['"Write"', 'https://quay.io/repository/acme/app?tab=settings', '"Creator"'], ['"Read"']],
    ['registry.gitlab.com/acme/app/image', ['write_registry', 'https://gitlab.com', 'CI_JOB_TOKEN'], ['read_registry']],
    ['registry.gitlab.acme.example/acme/app', ['write_registry', 'https://gitlab.acme.example'], []],
    [
      'harbor.acme.example/library/app',
      ['Log in to harbor.acme.example', 'may push to library/app', 'docker login'],
      ['may read library/app'],
    ],
    ['containers.acme.example/acme/app', ['Log in to containers.acme.example'], []],
    ['ghcr.io.evil.example/acme/app', ['Log in to ghcr.io.evil.example'], []],
    ['evilquay.io/acme/app', ['Log in to evilquay.io'], []],
  ])('by %s names the right and the page', (text, writing, reading) => {
    for (const words of writing) expect(accessHint(named(text), true)).toContain(words);
    for (const words of reading) expect(accessHint(named(text), false)).toContain(words);
    expect(accessHint(named(text), false)).not.toMatch(/[Ww]rite|[Pp]ush|PutImage/);
    for (const hint of [true, false].map((one) => accessHint(named(text), one))) expect(hint.length).toBeLessThan(480);
  });
});

describe('the hint for a repository that is not there', () => {
  test.each([
    [ECR, 'aws ecr create-repository --region eu-central-1 --repository-name team/app'],
    [
      'public.ecr.aws/a1b2c3d4/team/app',
      'aws ecr-public create-repository --region us-east-1 --repository-name team/app',
    ],
    [
      'europe-docker.pkg.dev/my-project/images/app',
      'gcloud artifacts repositories create images --repository-format=docker --location=europe --project=my-project',
    ],
    ['gcr.io/my-project/app', 'gcloud artifacts repositories create gcr.io --repository-format=docker'],
    ['harbor.acme.example/library/app', 'Create the repository or project of library/app in harbor.acme.example first'],
    ['ghcr.io/acme/app', 'Create the repository'],
  ])('in %s says how it comes to be', (text, words) => {
    expect(creationHint(named(text))).toContain(words);
  });
});
