using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What a monitor says in a row, for a device of which the saved state is known.</summary>
internal static class Scripts
{
    private const int PieceSize = 3000;

    /// <param name="saved">The device's state, as it saved it.</param>
    /// <param name="preCopy">Whether it saves while it runs.</param>
    public static byte[][][] For(byte[] saved, bool preCopy)
    {
        byte[] damaged = [.. saved];
        damaged[^1] ^= 1; // of the checksum: noticed at the very end
        byte[][][] common =
        [
            [Corpus.Reset()],
            Save(saved, [Corpus.SetState(MigrationState.Stop), Corpus.SetState(MigrationState.StopCopy)], [Corpus.SetState(MigrationState.Stop), Corpus.SetState(MigrationState.Running)]),
            Restore(saved, [Corpus.SetState(MigrationState.Stop), Corpus.SetState(MigrationState.Running)]),
            Restore(saved, [Corpus.SetState(MigrationState.Running)]),
            Restore(damaged, [Corpus.SetState(MigrationState.Stop), Corpus.Touch(0), Corpus.ReadState(64), Corpus.WriteState(saved.AsSpan(0, 16)), Corpus.SetState(MigrationState.Running), Corpus.Reset()]),
            [Corpus.StartLogging(0x1000), Corpus.Touch(0), Corpus.Touch(1), Corpus.Report(0, 4 * Corpus.FileSize, 0x1000), Corpus.Touch(2), Corpus.UnmapWithBitmap(2), Corpus.StopLogging()],
        ];
        return !preCopy ? common :
        [
            .. common,
            Save(saved,
                [Corpus.StartLogging(0x1000), Corpus.SetState(MigrationState.PreCopy), Corpus.ReadState(64), Corpus.Touch(0), Corpus.ReadState(4000), Corpus.Report(0, Corpus.FileSize, 0x1000), Corpus.SetState(MigrationState.StopCopy)],
                [Corpus.Report(0, Corpus.FileSize, 0x1000), Corpus.StopLogging(), Corpus.SetState(MigrationState.Running)]),
            [Corpus.SetState(MigrationState.PreCopy), Corpus.ReadState(100), Corpus.Touch(1), Corpus.Touch(2), Corpus.ReadState(100), Corpus.SetState(MigrationState.Running)],
        ];
    }

    private static byte[][] Save(byte[] saved, byte[][] before, byte[][] after) =>
        [.. before, .. saved.Chunk(PieceSize).Select(_ => Corpus.ReadState(PieceSize)), Corpus.ReadState(8), .. after];

    private static byte[][] Restore(byte[] saved, byte[][] after) =>
        [Corpus.Reset(), Corpus.SetState(MigrationState.Resuming), .. saved.Chunk(PieceSize).Select(piece => Corpus.WriteState(piece)), .. after];
}
