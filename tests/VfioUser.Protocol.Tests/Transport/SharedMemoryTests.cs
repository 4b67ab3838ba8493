using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class SharedMemoryTests
{
    [Fact]
    public void Memory_is_sealed_against_shrinking_and_growing()
    {
        const int SealSeal = 1;
        const int SealShrink = 2;
        const int SealGrow = 4;
        using SharedMemory memory = SharedMemory.Create(5000);

        Libc.Fcntl(memory.File, Libc.FGetSeals, 0).Should().Be(SealSeal | SealShrink | SealGrow);
        FileCalls.IsSealedAgainstShrinking(memory.File).Should().BeTrue();
        Libc.Ftruncate(memory.File, 100).Should().Be(-1);
        FileCalls.TryDescribe(memory.File, out FileFacts facts).Should().BeTrue();
        facts.IsRegular.Should().BeTrue();
        facts.Length.Should().Be(5000);
    }

    [Fact]
    public void Writes_of_one_mapping_are_read_by_the_other()
    {
        using SharedMemory memory = SharedMemory.Create(3 * 4096);
        using SharedMemory part = SharedMemory.Map(FileCalls.Duplicate(memory.File), fileOffset: 5000, length: 100);

        memory.Slice(5000 + 99, 1)[0] = 42;

        part.FileOffset.Should().Be(5000);
        part.Length.Should().Be(100);
        part.Slice(99, 1)[0].Should().Be(42);
    }

    [Theory]
    [InlineData(0, 100, true)]
    [InlineData(100, 0, true)]
    [InlineData(99, 1, true)]
    [InlineData(0, 101, false)]
    [InlineData(100, 1, false)]
    [InlineData(101, 0, false)]
    [InlineData(50, 51, false)]
    [InlineData(ulong.MaxValue, 1, false)]
    [InlineData(ulong.MaxValue, int.MaxValue, false)]
    [InlineData(0, -1, false)]
    [InlineData(100, int.MinValue, false)]
    public void A_slice_stays_inside(ulong offset, int length, bool fits)
    {
        using SharedMemory memory = SharedMemory.Create(100);

        Action slice = () => memory.Slice(offset, length).Length.Should().Be(length);

        if (fits)
            slice.Should().NotThrow();
        else
            slice.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Disposed_memory_gives_no_slices()
    {
        SharedMemory memory = SharedMemory.Create(100);

        memory.Dispose();

        memory.Invoking(it => it.Slice(0, 1).Length).Should().Throw<ObjectDisposedException>();
        memory.File.IsClosed.Should().BeTrue();
    }

    [Theory]
    [InlineData(0ul, 0ul)]
    [InlineData(0ul, ulong.MaxValue)]
    [InlineData(4095ul, ulong.MaxValue)]
    [InlineData(ulong.MaxValue, 4096ul)]
    [InlineData(1ul << 63, 4096ul)]
    [InlineData(0ul, 65ul)] // the file has 64
    [InlineData(64ul, 1ul)]
    public void A_file_that_cannot_be_mapped_is_closed(ulong offset, ulong length)
    {
        using TestFile file = new();
        SafeFileHandle copy = FileCalls.Duplicate(file.Handle);

        Action map = () => SharedMemory.Map(copy, offset, length);

        map.Should().Throw<IOException>().WithMessage("*map*");
        file.OpenCopies.Should().Be(0);
    }

    [Theory]
    [InlineData(1ul << 63)]
    [InlineData(ulong.MaxValue)]
    public void Sizes_beyond_a_files_limit_are_refused(ulong length)
    {
        string name = $"too-long-{length}";

        Action create = () => SharedMemory.Create(length, name);

        create.Should().Throw<IOException>();
        Directory.GetFiles("/proc/self/fd").Where(path => new FileInfo(path).LinkTarget?.Contains(name, StringComparison.Ordinal) == true).Should().BeEmpty();
    }

    [Fact]
    public void A_size_of_0_is_refused() =>
        FluentActions.Invoking(() => SharedMemory.Create(0)).Should().Throw<ArgumentOutOfRangeException>();
}
