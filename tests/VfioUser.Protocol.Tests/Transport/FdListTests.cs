using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class FdListTests : IDisposable
{
    private readonly TestFile _file = new();
    private readonly FdList _fds = new();

    public FdListTests()
    {
        _fds.Add(FileCalls.Duplicate(_file.Handle));
        _fds.Add(FileCalls.Duplicate(_file.Handle));
    }

    [Fact]
    public void A_taken_descriptor_belongs_to_the_taker()
    {
        SafeFileHandle taken = _fds.Take(1);

        _fds.Dispose();

        taken.IsClosed.Should().BeFalse();
        _file.OpenCopies.Should().Be(1);
        taken.Dispose();
    }

    [Fact]
    public void Descriptors_left_in_the_list_are_closed()
    {
        _fds.Dispose();
        _fds.Dispose();

        _file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Taking_a_descriptor_twice_throws()
    {
        _fds.Take(0).Dispose();

        _fds.Invoking(fds => fds.Take(0)).Should().Throw<InvalidOperationException>().WithMessage("*0*");
        _fds.Count.Should().Be(2, "it says how many came");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    public void Taking_a_descriptor_that_was_not_received_throws(int index) =>
        _fds.Invoking(fds => fds.Take(index)).Should().Throw<ArgumentOutOfRangeException>();

    [Fact]
    public void Another_list_hands_all_over()
    {
        FdList other = new();
        other.Add(FileCalls.Duplicate(_file.Handle));

        _fds.Append(other);
        other.Dispose();

        _fds.Count.Should().Be(3);
        _file.OpenCopies.Should().Be(3);
    }

    public void Dispose()
    {
        _fds.Dispose();
        _file.Dispose();
    }
}
