namespace VfioUser.Nvme.Tests.Support;

/// <summary>Disks as a test uses them: it waits for each answer.</summary>
internal static class DiskCalls
{
    public static void Read(this NvmeDisk disk, long offset, Span<byte> destination)
    {
        byte[] bytes = new byte[destination.Length];
        Wait.For(disk.ReadAsync(offset, bytes));
        bytes.CopyTo(destination);
    }

    public static void Write(this NvmeDisk disk, long offset, byte[] source) => Wait.For(disk.WriteAsync(offset, source));

    public static void WriteZeroes(this NvmeDisk disk, long offset, long length, bool deallocate) =>
        Wait.For(disk.WriteZeroesAsync(offset, length, deallocate));

    public static void Deallocate(this NvmeDisk disk, long offset, long length) => Wait.For(disk.DeallocateAsync(offset, length));

    public static void Flush(this NvmeDisk disk) => Wait.For(disk.FlushAsync());

    public static void Clear(this NvmeDisk disk) => disk.WriteZeroes(0, disk.Size, deallocate: true);
}
