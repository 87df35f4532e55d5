/** Short policies to choose from: what a person is shown who prunes a registry without a rule. */
export const POLICY_EXAMPLES: readonly { readonly about: string; readonly policy: string }[] = [
  { about: 'the 10 highest versions, and of all other images the 10 newest', policy: '10' },
  { about: 'what is younger than 30 days, and 5 of each at least', policy: '30d' },
  {
    about: 'releases by line, builds by age, what has no tag for a week',
    policy: [
      'protect latest?, @releases?',
      'v*: semver 2 majors, 3 minors, 2 patches',
      'sha-*: keep 20, for 14d',
      'untagged: for 7d',
    ].join('\n'),
  },
];
