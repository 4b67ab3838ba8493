using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>
/// Huge pages. A client can punch a hole into a file of them, sealed against shrinking or not, and use up the pool: then
/// the next touch of a mapping is a SIGBUS. Such memory is mapped for trusted clients only.
/// </summary>
public class DmaHugePageTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [InlineData(0)]
    [InlineData(TestFiles.SealShrink)]
    public void Huge_pages_of_a_client_that_is_not_trusted_come_by_message(int seals)
    {
        if (TryCreate(seals) is not { } file)
            return;
        using (file)
        {
            using DmaRig rig = new(GuestMemoryKind.TwinSocket);

            rig.Map(DmaRig.ReadWrite, 0, At, TestFiles.HugePageSize, file);

            rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.Message);
            rig.Dma.TryRead(new Iova(At), out byte _).Should().BeFalse("this client has no memory there");
            rig.Transfers.Should().Equal(1);
        }
    }

    [Fact]
    public void Huge_pages_of_a_client_that_is_trusted_are_mapped_if_the_machine_has_any()
    {
        if (TryCreate(TestFiles.SealShrink) is not { } file)
            return;
        using (file)
        {
            using DmaRig rig = new(server: new VfioUserServerOptions { TrustClientMemory = true });

            Errno errno = Errno.None;
            try
            {
                rig.Map(DmaRig.ReadWrite, 0, At, TestFiles.HugePageSize, file);
            }
            catch (VfioUserException e)
            {
                errno = e.Errno;
            }

            // whether there are free ones only the kernel knows
            errno.Should().BeOneOf(Errno.None, Errno.ENOMEM);
            rig.Dma.TryWrite<uint>(new Iova(At), 0x42).Should().Be(errno == Errno.None);
            rig.Map(At + TestFiles.HugePageSize, 0x1000);
            rig.Dma.TryRead(new Iova(At + TestFiles.HugePageSize), out byte _).Should().BeTrue("the session lives on");
        }
    }

    // A kernel without huge pages has no such files; then nobody can send one.
    private static SafeFileHandle? TryCreate(int seals)
    {
        try
        {
            return TestFiles.Memory(TestFiles.HugePageSize, seals, flags: TestFiles.HugePages);
        }
        catch (IOException e)
        {
            ((Errno)e.HResult).Should().BeOneOf(Errno.ENOSYS, Errno.EINVAL, Errno.ENOENT, Errno.ENOMEM);
            return null;
        }
    }
}
