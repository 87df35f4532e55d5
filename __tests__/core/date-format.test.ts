import { describe, expect, it } from 'vitest';
import { formatDate, isTimeZone } from '../../src/core/date-format.ts';

const DATE = new Date('2020-01-10T00:30:05.123Z');

describe('tokens', () => {
  it.each([
    ['YYYYMMDD', '20200110'],
    ['YY-M-D', '20-1-10'],
    ['dddd, MMMM Do YYYY, h:mm:ss a', 'Friday, January 10th 2020, 12:30:05 am'],
    ['ddd dd d e E MMM Mo', 'Fri Fr 5 5 5 Jan 1st'],
    ['YYYY-MM-DDTHH:mm:ss.SSS[Z]', '2020-01-10T00:30:05.123Z'],
    ['S SS SSSSSS', '1 12 123000'],
    ['DDD DDDD DDDo', '10 010 10th'],
    ['w ww wo gggg W WW GGGG', '2 02 2nd 2020 2 02 2020'],
    ['Q Qo [Q]Q', '1 1st Q1'],
    ['H HH h hh k kk A', '0 00 12 12 24 24 AM'],
    ['X x', '1578616205 1578616205123'],
    ['Z ZZ z', '+00:00 +0000 UTC'],
    ['_-.v', '_-.v'],
    ['', ''],
  ])('%s is %s', (format, expected) => {
    expect(formatDate(DATE, format, 'UTC')).toBe(expected);
  });

  it.each([
    ['2021-01-03T12:00:00Z', 'GGGG-WW gggg-ww', '2020-53 2021-02'],
    ['2019-12-30T12:00:00Z', 'GGGG-WW gggg-ww', '2020-01 2020-01'],
    ['2024-12-31T12:00:00Z', 'DDDD GGGG-WW E', '366 2025-01 2'],
    ['2023-01-01T12:00:00Z', 'E e GGGG-WW', '7 0 2022-52'],
    ['2020-02-29T23:59:59Z', 'Do MMM', '29th Feb'],
    ['2020-03-11T12:00:00Z', 'Do', '11th'],
    ['2020-03-22T12:00:00Z', 'Do', '22nd'],
    ['2020-03-03T12:00:00Z', 'Do', '3rd'],
  ])('%s as %s is %s', (date, format, expected) => {
    expect(formatDate(new Date(date), format, 'UTC')).toBe(expected);
  });
});

describe('time zones', () => {
  it.each([
    ['Asia/Tokyo', 'YYYYMMDD-HHmmss Z X', '20200110-093005 +09:00 1578616205'],
    ['America/New_York', 'YYYYMMDD HH Z', '20200109 19 -05:00'],
    ['Asia/Kolkata', 'HH:mm ZZ', '06:00 +0530'],
  ])('%s', (zone, format, expected) => {
    expect(formatDate(DATE, format, zone)).toBe(expected);
  });

  it('knows which there are', () => {
    expect(['UTC', 'Asia/Tokyo', 'Mars/Base', '', '\n'].map(isTimeZone)).toEqual([true, true, false, false, false]);
  });
});
