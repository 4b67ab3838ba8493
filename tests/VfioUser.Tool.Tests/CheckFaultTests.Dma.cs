using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

public partial class CheckFaultTests
{
    [Fact]
    public void An_unmap_of_what_was_not_mapped_that_is_refused_is_a_warning() => Warns("dma-unmap-unknown", "it is refused with ENOENT, as the text can be read; with a virtual IOMMU", (header, _) =>
        header.Command == Command.DmaUnmap ? FakeServer.Refuse(header, errno: Errno.ENOENT) : null);

    [Fact]
    public void An_unmap_of_half_a_map_that_is_accepted_is_a_failure() => Breaks("dma-unmap-part", "DmaUnmap with half a region was accepted", (header, payload) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void An_unmap_of_half_a_map_that_is_refused_but_removes_all_is_a_failure()
    {
        int unmaps = 0;

        Breaks("dma-unmap-part", "the whole cannot be unmapped afterwards", (header, _) =>
            header.Command == Command.DmaUnmap && ++unmaps > 1 ? FakeServer.Refuse(header, errno: Errno.ENOENT) : null);
    }

    [Fact]
    public void An_unmap_of_all_that_leaves_a_map_is_a_failure() => Breaks("dma-unmap-all", "it is answered, and the memory is still mapped", (header, payload) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void An_unmap_answered_for_another_address_is_a_failure() => Breaks("dma-unmap", "the reply has 0x0 + 0x0", (header, _) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, FakeServer.Bytes(new DmaUnmap(DmaUnmap.WireSize, 0, 0, 0))) : null);

    [Fact]
    public void Memory_that_stays_mapped_after_its_client_disconnected_is_a_failure()
    {
        int maps = 0;

        Breaks("dma-forgotten", "the next client cannot map there: it is refused with EEXIST", (header, _) =>
            header.Command == Command.DmaMap && ++maps > 1 ? FakeServer.Refuse(header, errno: Errno.EEXIST) : null);
    }

    [Fact]
    public void Memory_without_a_descriptor_that_is_refused_is_a_failure() => Breaks("dma-map-message", "it is refused with EINVAL", (header, _) =>
        header.Command == Command.DmaMap ? FakeServer.Refuse(header) : null);

    [Fact]
    public void A_map_that_cannot_be_unmapped_is_a_failure() => Breaks("dma-map-unaligned", "it is mapped, and cannot be unmapped", (header, _) =>
        header.Command == Command.DmaUnmap ? FakeServer.Refuse(header) : null);

    [Theory]
    [InlineData("dma-map-twice", "the same map is accepted twice")]
    [InlineData("dma-map-empty", "it is accepted; the specification does not cover it")]
    [InlineData("dma-map-wrap", "64 KiB at 0xfffffffffffff000 are accepted")]
    [InlineData("dma-map-short-file", "an access to those bytes kills the process")]
    public void A_map_that_should_not_be_accepted_is_a_warning(string rule, string why) => Warns(rule, why, (header, _) =>
        header.Command == Command.DmaMap ? FakeServer.Reply(header, []) : null);
}
