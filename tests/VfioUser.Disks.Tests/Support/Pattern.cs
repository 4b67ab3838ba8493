namespace VfioUser.Disks.Tests.Support;

/// <summary>Bytes to write and to find again.</summary>
internal static class Pattern
{
    /// <summary>Bytes that differ from block to block.</summary>
    public static byte[] Of(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
