using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigMsiTests
{
    private readonly ConfigSpace _config = NewConfig();

    [Theory]
    [InlineData(1, false, 0x0080, 16)]
    [InlineData(16, false, 0x0088, 16)]
    [InlineData(32, true, 0x018A, 24)]
    public void Message_control_has_the_number_of_vectors(int vectors, bool mask, ushort control, int size)
    {
        MsiCapability msi = _config.AddMsi(vectors, mask);

        _config.GuestBytes(0x40, 2).Should().Equal(0x05, 0x00);
        _config.Guest<ushort>(0x42).Should().Be(control);
        msi.Size.Should().Be(size);
        msi.IsEnabled.Should().BeFalse();
        msi.EnabledVectors.Should().Be(0);
    }

    [Theory]
    [InlineData(16, 0x0041, 0x00C9, 16)] // 16 of 16
    [InlineData(16, 0x0051, 0x00C9, 16)] // 32 of 16
    [InlineData(16, 0xFFFF, 0x00C9, 16)] // 128, a number that is reserved
    [InlineData(16, 0x0021, 0x00A9, 4)]
    [InlineData(1, 0x0071, 0x0081, 1)]
    [InlineData(32, 0x0071, 0x00DB, 32)]
    [InlineData(32, 0x0050, 0x00DA, 0)]  // allotted, not enabled
    public void A_guest_gets_no_more_vectors_than_there_are(int vectors, ushort written, ushort stored, int enabled)
    {
        MsiCapability msi = _config.AddMsi(vectors);

        _config.Guest(0x42, written);

        _config.Guest<ushort>(0x42).Should().Be(stored);
        msi.EnabledVectors.Should().Be(enabled);
    }

    [Fact]
    public void Address_and_data_are_writable()
    {
        MsiCapability msi = _config.AddMsi();

        _config.Guest(0x44, 0x0000_0001_FEE0_1007ul); // the lowest two bits are reserved
        _config.Guest(0x4C, 0x1234_4041u);

        msi.Address.Should().Be(0x0000_0001_FEE0_1004);
        msi.Data.Should().Be(0x4041);
        _config.GuestBytes(0x44, 12).Should().Equal(0x04, 0x10, 0xE0, 0xFE, 0x01, 0x00, 0x00, 0x00, 0x41, 0x40, 0x00, 0x00);
    }

    [Fact]
    public void Mask_bits_are_writable_for_the_vectors_there_are_and_pending_bits_are_not()
    {
        MsiCapability msi = _config.AddMsi(vectors: 4, perVectorMask: true);

        _config.Guest(0x50, 0xFFFF_FFFAu);
        _config.Guest(0x54, 0xFFFF_FFFFu);
        msi.SetPending(3, pending: true);
        msi.SetPending(1, pending: true);
        msi.SetPending(1, pending: false);

        _config.Guest<uint>(0x50).Should().Be(0xA);
        _config.Guest<uint>(0x54).Should().Be(0x8);
        Enumerable.Range(0, 4).Select(msi.IsMasked).Should().Equal(false, true, false, true);
    }

    [Fact]
    public void The_last_of_32_vectors_has_its_bits_too()
    {
        MsiCapability msi = _config.AddMsi(vectors: 32, perVectorMask: true);

        _config.Guest(0x50, 0x8000_0000u);
        msi.SetPending(31, pending: true);

        msi.IsMasked(31).Should().BeTrue();
        _config.Guest<uint>(0x54).Should().Be(0x8000_0000u);
    }

    [Fact]
    public void Writing_zeros_disables_and_keeps_what_is_read_only()
    {
        _config.AddMsi(vectors: 16);
        _config.Guest<ushort>(0x42, 0x0041);

        _config.GuestWrite(0x42, new byte[14]);

        _config.GuestBytes(0x40, 16).Should().Equal(
            0x05, 0x00, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00);
    }

    [Fact]
    public void A_write_handler_is_called_after_the_write_is_stored()
    {
        MsiCapability msi = _config.AddMsi(vectors: 4);
        List<int> seen = [];
        msi.Written = () => seen.Add(msi.EnabledVectors);

        _config.Guest<ushort>(0x42, 0x0071);
        _config.Guest<byte>(0x3F, 0xFF); // elsewhere

        seen.Should().Equal(4);
    }

    [Fact]
    public void A_reset_disables_unmasks_and_forgets_what_is_pending()
    {
        MsiCapability msi = _config.AddMsi(vectors: 2, perVectorMask: true);
        _config.Seal();
        byte[] before = _config.GuestBytes(0x40, 24);
        _config.Guest<ushort>(0x42, 0x0011);
        _config.Guest(0x44, 0xFEE0_0000u);
        _config.Guest(0x50, 0x3u);
        msi.SetPending(1, pending: true);

        _config.Reset();

        _config.GuestBytes(0x40, 24).Should().Equal(before);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(-1)]
    public void An_impossible_number_of_vectors_is_refused(int vectors)
    {
        Action add = () => _config.AddMsi(vectors);

        add.Should().Throw<ArgumentException>().WithMessage("*1, 2, 4, 8, 16 or 32 vectors*");
    }

    [Fact]
    public void There_is_no_mask_for_a_vector_that_does_not_exist()
    {
        MsiCapability msi = _config.AddMsi(vectors: 4, perVectorMask: true);

        Action ask = () => msi.IsMasked(4);

        ask.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*vectors 0 to 3*");
    }
}
