namespace VfioUser.Disks;

/// <summary>Disks as a test uses them: it waits for each answer.</summary>
internal static class DiskCalls
{
    public static void Read(this Disk disk, long offset, Span<byte> destination)
    {
        byte[] bytes = new byte[destination.Length];
        Wait.For(disk.ReadAsync(offset, bytes));
        bytes.CopyTo(destination);
    }

    public static void Write(this Disk disk, long offset, byte[] source) => Wait.For(disk.WriteAsync(offset, source));

    public static void WriteZeroes(this Disk disk, long offset, long length, bool deallocate) =>
        Wait.For(disk.WriteZeroesAsync(offset, length, deallocate));

    public static void Deallocate(this Disk disk, long offset, long length) => Wait.For(disk.DeallocateAsync(offset, length));

    public static void Flush(this Disk disk) => Wait.For(disk.FlushAsync());

    public static void Clear(this Disk disk) => disk.WriteZeroes(0, disk.Size, deallocate: true);
}
