using System.IO.Pipelines;

namespace VfioUser.Virtio.Tests;

/// <summary>Ends of a pipe that an author has completed with an exception: that is an end, and no failure of the device.</summary>
public sealed class ChainPipeTests
{
    [Fact]
    public void Source_that_has_failed_before_it_is_looked_at_is_aborted()
    {
        Pipe pipe = new();
        ChainSource source = new(pipe.Reader, static () => { });
        pipe.Writer.Complete(new IOException("The author's."));

        source.Peek().IsEmpty.Should().BeTrue();

        (source.IsAborted, source.IsCompleted).Should().Be((true, true));
    }

    [Fact]
    public void Source_that_fails_while_it_is_waited_for_is_aborted()
    {
        int woken = 0;
        Pipe pipe = new(new PipeOptions(readerScheduler: PipeScheduler.Inline));
        ChainSource source = new(pipe.Reader, () => woken++);
        source.Peek().IsEmpty.Should().BeTrue();
        source.IsCompleted.Should().BeFalse();

        pipe.Writer.Complete(new IOException("The author's."));

        woken.Should().Be(1);
        source.Peek().IsEmpty.Should().BeTrue();
        (source.IsAborted, source.IsCompleted).Should().Be((true, true));
    }

    [Fact]
    public void Sink_whose_reader_has_failed_is_closed()
    {
        Pipe pipe = new();
        ChainSink sink = new(pipe.Writer, static () => { });
        pipe.Reader.Complete(new IOException("The author's."));

        sink.Write("x"u8);

        sink.IsClosed.Should().BeTrue();
        sink.Write("y"u8);
    }
}
